-- Statements that change data: in tables and views of one's own in the destination.

CREATE TABLE teams (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NOT NULL, Budget money);
CREATE TABLE IF NOT EXISTS PROD.teams (Id int, Part int, PRIMARY KEY (Id, Part));
CREATE TABLE counts AS SELECT State, COUNT(*) AS Many FROM PullRequests GROUP BY State;
CREATE VIEW open_ones AS SELECT Id, Title FROM destination.PullRequests WHERE State = 'OPEN';
CREATE OR REPLACE VIEW open_ones AS WITH x AS (SELECT * FROM PullRequests) SELECT Id FROM x;
DROP TABLE teams;
DROP TABLE IF EXISTS destination.PROD.teams;
DROP VIEW IF EXISTS [open ones];
TRUNCATE TABLE teams;
TRUNCATE teams;
INSERT INTO teams SELECT * FROM csv://teams.csv;
INSERT INTO teams (Id, Name) SELECT a, b FROM csv://filename=teams.txt;delimiter=tab;header=false AS t WHERE a <> '0';
SELECT t.Id FROM [csv://two words.csv;delimiter=;] AS t;


INSERT INTO Issues (Id, Title) VALUES (1, 'one');
INSERT INTO Issues VALUES (1, 'one'), (2, 'two');
INSERT INTO [Table#TEMP] (Id) VALUES ('1');
INSERT INTO Issues (Id, Title) SELECT Id, Title FROM Table#TEMP;
UPSERT INTO api.Issues (Id, Title) VALUES (1, UPPER('one'));
UPDATE Issues SET Title = 'one', [State] = LOWER('OPEN') WHERE Id = 1;
UPDATE Issues SET Title = NULL;
DELETE FROM Issues WHERE Id IN (SELECT Id FROM Table#TEMP);
DELETE FROM Issues;
