-- The account prod by prefix: its table stands beside those of other accounts.
REPLICATE PROD_Issues SELECT * FROM prod.Issues;

-- The account prod by schema. SQLite has no schemas: the tables are named "PROD.Issues" and so on.
REPLICATE PROD.Issues SELECT * FROM prod.Issues;
REPLICATE PROD.PullRequests SELECT * FROM prod.PullRequests;
REPLICATE PROD.Repositories SELECT * FROM prod.Repositories;
REPLICATE PROD.Branches SELECT * FROM prod.Branches;

-- The account team, each table under its own name.
USE team;
REPLICATE Issues;
REPLICATE PullRequests;
REPLICATE Repositories;
REPLICATE Branches;
