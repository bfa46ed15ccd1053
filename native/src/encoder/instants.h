/* Dates and times, as PostgreSQL writes them in DateStyle ISO and TimeZone UTC, into ISO 8601; see mapping/instants.py
   of pg2dynamo. LEFT for every other form. */
#ifndef PG2DYNAMO_INSTANTS_H
#define PG2DYNAMO_INSTANTS_H

#include "buffer.h"

outcome write_date(buffer *out, const char *from, const char *end);
outcome write_time(buffer *out, const char *from, const char *end);
outcome write_timestamp(buffer *out, const char *from, const char *end);
outcome write_timestamptz(buffer *out, const char *from, const char *end);

#endif
