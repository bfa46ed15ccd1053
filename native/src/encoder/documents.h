/* jsonb's text into DynamoDB's M, L, S, N, BOOL and NULL, with no object made of a value. */
#ifndef PG2DYNAMO_DOCUMENTS_H
#define PG2DYNAMO_DOCUMENTS_H

#include "buffer.h"

/* Write a document as an attribute value. LEFT when it is not JSON, when DynamoDB cannot hold it, and when the names
   of an object do not stand in jsonb's order (by length, then by bytes), which tells that none comes twice. */
outcome write_document(buffer *out, const char *from, const char *end);

#endif
