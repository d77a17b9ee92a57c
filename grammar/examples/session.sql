-- Connections, settings, metadata, procedures.

CREATE CONNECTION prod TYPE bitbucket WITH (Workspace = 'acme', AuthScheme = APIToken, User = 'user17@example.invalid', Token = 'env:BB_TOKEN');
CREATE CONNECTION destination TYPE sqlite WITH ([Data Source] = 'copy.db', Timeout = 60, Readonly = FALSE, Limit17 = -1, Nothing = NULL);
CREATE OR REPLACE CONNECTION prod FROM 'jdbc:bitbucket:Workspace=acme;AuthScheme=AccessToken;Token="a;b"';
CREATE CONNECTION prod TYPE bitbucket FROM 'Workspace=acme;Password=it''s';
CREATE CONNECTION [my connection] WITH ();
DROP CONNECTION prod;
DROP CONNECTION IF EXISTS prod;
TEST CONNECTION prod;

USE prod;
USE prod.[API];
USE destination;
USE DESTINATION copies;
SET MaxRows = 100;
SET session.Format = csv;
SET Note = 'it''s';
SET Offset17 = -5;
SET Verbose = TRUE;
SET BatchSize TO DEFAULT;
SET @since = '2026-08-10';
SET @Limit17 = -5;
SET @until = @since;
RESET BatchSize;
RESET ALL;

SHOW CONNECTIONS;
SHOW SCHEMAS FROM prod;
SHOW TABLES;
SHOW TABLES FROM prod.Information LIKE 'Pull%';
SHOW TABLES LIKE 'Pull%' FROM prod.Information;
SHOW COLUMNS FROM Issues;
SHOW PROCEDURES;
SHOW FUNCTIONS LIKE 'L_%';
SHOW OPTIONS;
SHOW BUDGET;
DESCRIBE Issues;
DESC prod.Information.Issues;

EXPLAIN SELECT * FROM Issues;
EXPLAIN ANALYZE SELECT * FROM Issues;
EXPLAIN REPLICATE Issues;
EXPLAIN REPLICATE Open WITH DropTable SELECT * FROM PullRequests WHERE State = 'OPEN';

EXEC GetOAuthAuthorizationURL @CallbackUrl='http://localhost:33333', @State='17';
EXEC GetOAuthAccessToken @AuthMode='WEB', @CallbackUrl='http://localhost:33333', @Verifier='code';
EXECUTE RefreshOAuthAccessToken OAuthRefreshToken = 'refresh';
EXEC prod.GetOAuthAccessToken;
EXEC Procedure17 @a = 1 + 2, @b = UPPER('x'), @c = NULL, @d = ?, @e = @other;
