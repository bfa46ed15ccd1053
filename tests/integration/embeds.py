"""Tables of every relation to one another, and a plan that embeds the ones in the others."""

from __future__ import annotations

DDL = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE profiles (customer_id int UNIQUE REFERENCES customers, photo bytea, settings jsonb, seen timestamptz);
CREATE TABLE orders (
  id int PRIMARY KEY, customer_id int, placed date, status text NOT NULL DEFAULT 'new', total numeric(8, 2)
);
CREATE INDEX ON orders (customer_id);
CREATE TABLE "order ""lines" ("order" int, "line no" int, "product é" int, note text, PRIMARY KEY ("order", "line no"));
CREATE TABLE products (id int PRIMARY KEY, name text, tags text[]);
CREATE TABLE labels (id int PRIMARY KEY, label text);
CREATE TABLE customer_labels (customer_id int, label_id int, PRIMARY KEY (customer_id, label_id));
CREATE TABLE notes (customer_id int, note text, stars int);
CREATE INDEX ON notes (customer_id);
CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes, name text);
CREATE INDEX ON nodes (parent);
"""

FILL = """
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 40) n;
INSERT INTO profiles SELECT n, CASE WHEN n % 4 > 0 THEN '\\x00ff'::bytea END,
  jsonb_build_object('n', n, 'l', '[null]'::jsonb),
  '2024-01-01Z'::timestamptz + n * interval '1 hour' FROM generate_series(1, 40, 2) n;
INSERT INTO products SELECT n, 'product ' || n, ARRAY['a"', NULL, '{\\'] FROM generate_series(1, 9) n;
INSERT INTO orders SELECT n, n % 30 + 1, date '2024-01-01' + (n * 37 % 20),
  CASE WHEN n % 11 = 0 THEN 'void' ELSE 'new' END, n / 4.0 FROM generate_series(1, 120) n;
INSERT INTO "order ""lines" SELECT n % 100 + 1, n / 100 + 1, nullif(n % 10, 0), CASE n % 3 WHEN 0 THEN ''
  WHEN 1 THEN 'tab	"quote\\' END FROM generate_series(1, 300) n;
INSERT INTO labels SELECT n, 'label ' || n FROM generate_series(1, 5) n;
INSERT INTO customer_labels SELECT n, l FROM generate_series(1, 40) n, generate_series(1, 5) l WHERE n % (l + 1) = 0;
INSERT INTO notes SELECT n % 20 + 1, CASE WHEN n % 3 > 0 THEN nullif('note ' || n % 4, 'note 2') ELSE '' END, n % 2
  FROM generate_series(1, 100) n;
INSERT INTO nodes SELECT n, nullif(n / 3, 0), 'node ' || n FROM generate_series(1, 60) n;
"""

CUSTOMERS = """
  - from: customers
    to: {unique}-customers
    key: {hash: id}
    embed:
      profile: {from: profiles, on: {customer_id: id}, one: true, leave_out: [customer_id]}
      orders:
        from: orders
        on: {customer_id: id}
        order_by: [placed]
        where: "orders.status <> 'void'"
        leave_out: [customer_id, status]
        rename: {id: number}
        attributes: {total: {as: text}, late: {sql: "orders.placed > date '2024-01-10'"}}
        embed:
          lines:
            from: '"order ""lines"'
            on: {order: id}
            leave_out: [order, product é]
            embed:
              product: {from: products, on: {id: product é}, one: true, leave_out: [id]}
      labels:
        from: customer_labels
        on: {customer_id: id}
        columns: [label_id]
        embed:
          of: {from: labels, on: {id: label_id}, one: true, columns: [label]}
      notes: {from: notes, on: {customer_id: id}, leave_out: [customer_id]}
"""
NODES = """
  - from: nodes
    to: {unique}-nodes
    key: {hash: id}
    lookups:
      - {from: nodes, on: {id: parent}, attributes: {parent_name: name}}
    embed:
      children:
        from: nodes
        on: {parent: id}
        columns: [id]
        attributes: {label: {sql: "nodes.name || '!'"}}
        embed:
          children: {from: nodes, on: {parent: id}, columns: [id, name], where: "nodes.id % 2 = 0"}
"""
PLAN = "\ntables:\n" + CUSTOMERS + NODES
