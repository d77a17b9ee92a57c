-- Statements that change data: part of the dialect, so that they can be answered clearly.

INSERT INTO Issues (Id, Title) VALUES (1, 'one');
INSERT INTO Issues VALUES (1, 'one'), (2, 'two');
INSERT INTO [Table#TEMP] (Id) VALUES ('1');
INSERT INTO Issues (Id, Title) SELECT Id, Title FROM Table#TEMP;
UPSERT INTO api.Issues (Id, Title) VALUES (1, UPPER('one'));
UPDATE Issues SET Title = 'one', [State] = LOWER('OPEN') WHERE Id = 1;
UPDATE Issues SET Title = NULL;
DELETE FROM Issues WHERE Id IN (SELECT Id FROM Table#TEMP);
DELETE FROM Issues;
