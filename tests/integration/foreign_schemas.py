"""Schemas like those of public databases, made up here: what `init` meets where nobody knew of it."""

from __future__ import annotations

SHOP = """
CREATE TYPE order_state AS ENUM ('open', 'paid', 'sent');
CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE customers (
  customer_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, active boolean NOT NULL,
  country char(2) REFERENCES countries, referred_by int REFERENCES customers, password_hash text,
  note json, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE addresses (
  customer_id int NOT NULL REFERENCES customers, kind text NOT NULL, street text, PRIMARY KEY (customer_id, kind)
);
CREATE TABLE products (product_id bigint PRIMARY KEY, title text NOT NULL, words tsvector, price numeric NOT NULL);
CREATE INDEX products_words ON products USING gin (words);
CREATE INDEX products_title ON products (lower(title));
CREATE TABLE categories (category_id smallint PRIMARY KEY, parent_id smallint REFERENCES categories, name text);
CREATE TABLE product_categories (
  product_id bigint REFERENCES products, category_id smallint REFERENCES categories,
  PRIMARY KEY (product_id, category_id)
);
CREATE TABLE orders (
  placed_on date NOT NULL, order_id int NOT NULL, customer_id int NOT NULL REFERENCES customers,
  state order_state NOT NULL,
  sent_at timestamptz, paid boolean, PRIMARY KEY (placed_on, order_id), UNIQUE (order_id)
);
CREATE INDEX orders_state ON orders (state, placed_on);
CREATE INDEX orders_sent ON orders (sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX orders_when ON orders USING brin (placed_on);
CREATE TABLE order_lines (
  order_id int NOT NULL REFERENCES orders (order_id), line_no int NOT NULL,
  product_id bigint NOT NULL REFERENCES products,
  amount numeric(10, 2) NOT NULL, PRIMARY KEY (order_id, line_no)
);
CREATE TABLE payments (
  payment_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), order_id int NOT NULL UNIQUE REFERENCES orders (order_id),
  card_token_encrypted bytea, card_token_iv bytea, card_token_tag bytea, api_key text
);
CREATE TABLE log_lines (said text);
CREATE TABLE counters (name text NOT NULL, shard int NOT NULL, hits bigint, UNIQUE (name, shard));
CREATE VIEW open_orders AS SELECT order_id AS id, customer_id FROM orders WHERE state = 'open';
CREATE MATERIALIZED VIEW sales AS SELECT product_id, sum(amount) AS total FROM order_lines GROUP BY 1;
INSERT INTO countries SELECT 'A' || chr(64 + n), 'Country ' || n FROM generate_series(1, 20) n;
INSERT INTO customers (email, active, country, note)
  SELECT 'c' || n || '@example.org', n % 3 > 0, CASE WHEN n % 4 = 0 THEN 'AA' END, '{"b": 1, "a": 2}'
    FROM generate_series(1, 100) n;
UPDATE customers SET referred_by = customer_id - 1 WHERE customer_id % 10 = 5;
INSERT INTO addresses SELECT n, k, 'Street ' || n FROM generate_series(1, 100) n, unnest(ARRAY['home', 'work']) k;
INSERT INTO products SELECT n, 'Product #' || n, to_tsvector('simple', 'product'), n / 4.0
  FROM generate_series(1, 60) n;
INSERT INTO categories SELECT n, CASE WHEN n > 1 THEN n / 2 END, 'Category ' || n FROM generate_series(1, 15) n;
INSERT INTO product_categories SELECT p, c FROM generate_series(1, 60) p, generate_series(1, 15) c
  WHERE (p + c) % 4 = 0;
INSERT INTO orders SELECT '2026-01-01'::date + n % 30, n, n % 100 + 1, 'paid', CASE WHEN n % 9 = 0 THEN now() END,
  n % 2 = 0
  FROM generate_series(1, 200) n;
INSERT INTO order_lines SELECT o, l, (o + l) % 60 + 1, o / 10.0
  FROM generate_series(1, 200) o, generate_series(1, 3) l;
INSERT INTO payments (order_id, api_key) SELECT n, 'k' FROM generate_series(1, 50) n;
INSERT INTO counters SELECT n, s, s FROM unnest(ARRAY['a', 'a#b', '']) n, generate_series(-2, 2) s;
ANALYZE;
"""
"""Joins of many to many, self references, a key that begins with a date, every kind of index; about 1,700 rows."""

PARTITIONS = """
CREATE SCHEMA metrics;
CREATE TABLE metrics.samples (
  at timestamptz NOT NULL, device_id int NOT NULL, value float8, PRIMARY KEY (device_id, at)
) PARTITION BY RANGE (at);
CREATE TABLE metrics.samples_old PARTITION OF metrics.samples FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE metrics.samples_new PARTITION OF metrics.samples FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)
  PARTITION BY HASH (device_id);
CREATE TABLE metrics.samples_new_0 PARTITION OF metrics.samples_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE metrics.samples_new_1 PARTITION OF metrics.samples_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE metrics.never (day date, id int, PRIMARY KEY (day, id)) PARTITION BY LIST (day);
CREATE TABLE metrics.leaves (region text NOT NULL, id int NOT NULL, x text) PARTITION BY LIST (region);
CREATE TABLE metrics.leaves_eu PARTITION OF metrics.leaves FOR VALUES IN ('eu');
CREATE TABLE metrics.leaves_us PARTITION OF metrics.leaves FOR VALUES IN ('us');
CREATE UNIQUE INDEX ON metrics.leaves_eu (id);
CREATE UNIQUE INDEX ON metrics.leaves_us (id);
CREATE TABLE metrics.devices (device_id int PRIMARY KEY, owner text) PARTITION BY HASH (device_id);
CREATE TABLE metrics.devices_0 PARTITION OF metrics.devices FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE metrics.devices_1 PARTITION OF metrics.devices FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE metrics.samples ADD FOREIGN KEY (device_id) REFERENCES metrics.devices;
CREATE TABLE public.samples (id int PRIMARY KEY);
INSERT INTO metrics.devices SELECT n, 'owner ' || n FROM generate_series(1, 20) n;
INSERT INTO metrics.samples SELECT '2025-12-31'::timestamptz + n * interval '1 hour', n % 20 + 1, n / 3.0
  FROM generate_series(1, 200) n;
INSERT INTO metrics.leaves SELECT r, n, r || n FROM unnest(ARRAY['eu', 'us']) r, generate_series(1, 20) n;
INSERT INTO public.samples VALUES (1);
ANALYZE;
"""
"""Partitions of each kind and depth, none at all, and rows that only the leaves tell apart."""

TYPES = """
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE TYPE spot AS (x int, y int);
CREATE DOMAIN amount AS numeric(12, 3);
CREATE TABLE keys_bytea (k bytea PRIMARY KEY, v json);
CREATE TABLE keys_boolean (k boolean PRIMARY KEY, v text);
CREATE TABLE keys_enum (c colour, k numeric, b boolean NOT NULL, PRIMARY KEY (c, k), UNIQUE (b, k));
CREATE TABLE keys_five (a bytea, b int, c text, d bigint, e boolean, v macaddr8, PRIMARY KEY (a, b, c, d, e));
CREATE TABLE keys_array (k int[] PRIMARY KEY, other int NOT NULL UNIQUE);
CREATE TABLE keys_document (k jsonb PRIMARY KEY);
CREATE TABLE keys_range (r int4range PRIMARY KEY, p inet NOT NULL, UNIQUE (p, r));
CREATE TABLE keys_time (t timestamp, i interval, f float8, PRIMARY KEY (t, i, f));
CREATE TABLE "Mixed Case: ""#"" ${HOME}" (
  "ключ" int PRIMARY KEY, "select" text NOT NULL, "null" boolean NOT NULL, "a: b{c}" int, "${PATH}" text UNIQUE,
  UNIQUE ("select", "null"), UNIQUE ("a: b{c}", "select")
);
CREATE TABLE "таблица" (id int PRIMARY KEY);
CREATE TABLE anything (
  id int PRIMARY KEY, a json, b jsonb[], c numeric, d numeric(5, 2), e spot, f colour[], g money, h bit(3), i tsvector,
  j point, k interval, l time with time zone, m amount, n "char", o name, p oid, q pg_lsn, r int4multirange, s tsquery,
  t varchar(10), u char(5), v float4, w macaddr, x uuid, y date, z bytea, g2 int GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO keys_bytea VALUES ('', '{"a": 1.50, "b": 1}'), ('\\x0001', '[]');
INSERT INTO keys_boolean VALUES (true, 'yes'), (false, 'no');
INSERT INTO keys_enum VALUES ('red', 1.50, true), ('blue', -2, false);
INSERT INTO keys_five SELECT decode(to_hex(n + 16), 'hex'), -n, repeat('#', n), n, n % 2 = 0, '08:00:2b:01:02:03:04:05'
  FROM generate_series(0, 9) n;
INSERT INTO keys_array VALUES ('{1,2}', 1), ('{}', 2);
INSERT INTO keys_range VALUES ('[1,3)', '10.0.0.1'), ('empty', '::1');
INSERT INTO keys_time VALUES ('2026-01-01', '1 day', 0.1), ('-infinity', '-1 mon', -1e300);
INSERT INTO "Mixed Case: ""#"" ${HOME}" VALUES (1, 'a', true, 1, 'x'), (2, 'b', false, NULL, NULL);
INSERT INTO "таблица" VALUES (1);
INSERT INTO anything (id, a, b, c, d, e, f, g, h, i, j, k) VALUES
  (1, '{"b": 1, "a": 1.50}', ARRAY['{}'::jsonb], 1.50, 1.50, (1, 2), '{red}', 12, '101', 'a b', '(1,2)', '1 day');
INSERT INTO anything (id) VALUES (2);
ANALYZE;
"""
"""Keys of every kind of type, names that mean something in YAML, in plans and in SQL."""


def large(tables: int) -> str:
    """Return SQL of a catalog of so many tables with hundreds of foreign keys, wide ones and odd ones, without rows."""
    return many(tables) + WIDE + ODD


def many(tables: int) -> str:
    """Return SQL of so many tables alike, every other one of them with a foreign key."""
    return f"""
CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
DO $$
DECLARE n int; s text;
BEGIN
  FOR n IN 1..{tables} LOOP
    s := CASE WHEN n % 3 = 0 THEN 'tenant_a' WHEN n % 3 = 1 THEN 'tenant_b' ELSE 'public' END;
    EXECUTE format(
      'CREATE TABLE %s.t%s (tenant_id uuid NOT NULL, id bigint PRIMARY KEY, kind text NOT NULL, secret_%s text, '
      'parent_id bigint %s, created_at timestamptz, UNIQUE (tenant_id, kind) DEFERRABLE)', s, n, n,
      CASE WHEN n > 3 AND n % 2 = 0 THEN format('REFERENCES %s.t%s', s, n - 3) END);
    EXECUTE format('CREATE INDEX ON %s.t%s (tenant_id, created_at)', s, n);
    IF n % 5 = 0 THEN
      EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %s.t%s FOR EACH ROW EXECUTE FUNCTION touch()', s, n);
    END IF;
  END LOOP;
END $$;
"""


WIDE = """
DO $$
DECLARE n int;
BEGIN
  EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, '
    || (SELECT string_agg(format('a_rather_long_column_name_%s text', c), ', ') FROM generate_series(1, 558) c) || ')';
  EXECUTE 'CREATE TABLE widest (' || (SELECT string_agg(format('c%s int', c), ', ') FROM generate_series(1, 1599) c)
    || ', id int PRIMARY KEY)';
  EXECUTE 'CREATE TABLE indexed (id int PRIMARY KEY, '
    || (SELECT string_agg(format('c%s int', c), ', ') FROM generate_series(1, 34) c) || ')';
  FOR n IN 1..34 LOOP EXECUTE format('CREATE INDEX ON indexed (c%s)', n); END LOOP;
END $$;
"""
"""As many columns as PostgreSQL has, columns whose names are long, and more indexes than a table can have there."""

ODD = """
CREATE TABLE nothing ();
CREATE TABLE tenant_a.users (id int PRIMARY KEY, chosen int);
CREATE TABLE tenant_b.users (id int PRIMARY KEY);
CREATE TABLE public.users (id int PRIMARY KEY, team int);
CREATE TABLE public.teams (id int PRIMARY KEY, leader int NOT NULL REFERENCES users);
ALTER TABLE public.users ADD FOREIGN KEY (team) REFERENCES teams;
CREATE TABLE public.five (a bytea, b int, c text, d bigint, e smallint, PRIMARY KEY (a, b, c, d, e));
CREATE TABLE public.nullable (a int, b int, UNIQUE (a, b));
CREATE TABLE public.gone (a int PRIMARY KEY, b int, c int);
ALTER TABLE public.gone DROP COLUMN b;
"""
"""The same name in several schemas, a circle of references, keys of five columns, and none."""
