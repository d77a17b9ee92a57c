-- REPLICATE: destination, columns, options, source.

REPLICATE Issues;
replicate issues;
REPLICATE PROD_Issues SELECT * FROM Issues;
REPLICATE PROD.Issues SELECT * FROM Issues;
REPLICATE REP_T SELECT DateModified, CONCAT(FirstName,' ',LastName) AS FullName FROM T WHERE FirstName LIKE '%Tim%';
REPLICATE [Issues] WITH IncrementalCheckColumns = 'UpdatedOn';
REPLICATE ApiIssues (Id int, Title varchar(255), PRIMARY KEY(Id)) WITH TruncateTable, AlterSchema=true SELECT Id, Title FROM api.Issues;
REPLICATE [Account.csv];

-- Sources
REPLICATE Copy api.Issues;
REPLICATE Copy prod.Information.Issues;
REPLICATE Copy [my repo].Issues WITH DropTable;
REPLICATE Open SELECT * FROM PullRequests WHERE State = 'OPEN';
REPLICATE Numbers VALUES (1, 'one'), (2, 'two');
REPLICATE Copy (SELECT Id FROM Issues);
REPLICATE Copy ((SELECT Id FROM Issues) UNION ALL SELECT Id FROM Other);
REPLICATE Recent WITH recent AS (SELECT * FROM Issues WHERE UpdatedOn > '2024-01-01') SELECT * FROM recent;
REPLICATE Recent WITH recent (a, b) AS (SELECT Id, Title FROM Issues) SELECT a FROM recent;
REPLICATE Chain WITH RECURSIVE chain AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM chain WHERE n < 5) SELECT n FROM chain;
REPLICATE AllIssues
  SELECT 'a' AS Account, * FROM first.Information.Issues
  UNION ALL
  SELECT 'b' AS Account, * FROM second.Information.Issues;
REPLICATE Quoting SELECT "Id", `Title`, [Odd ]] name] FROM "My Issues";
REPLICATE Calls SELECT REPLICATE('-', 3) AS Line, LEFT(Title, 5) FROM Issues;

-- Columns
REPLICATE Copy (Id int) SELECT Id FROM Issues;
REPLICATE Copy (Id bigint, [Odd name] nvarchar(10), Price decimal(10, 2), At datetime, PRIMARY KEY (Id, [Odd name]));
REPLICATE Copy (Id int, PRIMARY KEY (id)) api.Issues;
REPLICATE Copy (Id int PRIMARY KEY, Title nvarchar(max) NOT NULL, Price money NULL) api.Issues;
REPLICATE Copy (Id number(10) NOT NULL PRIMARY KEY, Title varchar2(20), Key uniqueidentifier, At datetime2(7));
REPLICATE Copy (Id int) WITH BatchSize = 10 WITH x AS (SELECT 1 AS Id) SELECT Id FROM x;

-- Options: before or after the source, or both
REPLICATE Issues WITH DropTable;
REPLICATE Issues WITH DropTable = FALSE, AlterSchema = 'true', SkipDeleted=1;
REPLICATE Issues SELECT * FROM Issues WITH DropTable;
REPLICATE Issues WITH DropTable SELECT * FROM Issues WITH BatchSize = 500;
REPLICATE Issues WITH truncatetabledata;
REPLICATE Issues WITH AutoTruncateStrings, ContinueOnError, LostValues = fail, UseGmtDateTime, EnableHistoryMode, DropMissingRepositories, AdoptTable;
REPLICATE Issues WITH BatchSize = 100, CommandTimeout = 60, ReplicateInterval = '30', ReplicateIntervalUnit = days;
REPLICATE Issues WITH ReplicateStartDate = '2024-01-31';
REPLICATE Issues WITH ReplicateStartDate = '2024-01-31 10:20:30';
REPLICATE Issues WITH ReplicateStartValue = 1000;
REPLICATE Issues WITH ReplicateTimeCheckColumns = 'UpdatedOn, CreatedOn';
REPLICATE Issues WITH TableNamePrefix = 'PROD_', CacheSchema = main, DeleteOption = softdelete, DetectDeletes = keys;
REPLICATE Issues WITH OtherCacheOptions = 'SkipDeleted=true,BatchSize=10';

-- Names are data: words of the dialect are names where no clause expects them.
REPLICATE Cache;
REPLICATE [Select].[From] SELECT [Where] FROM [Group];
REPLICATE Größe SELECT * FROM [名前];
