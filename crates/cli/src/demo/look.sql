-- A join of two copied tables: no request.
SELECT r.Name AS Repository, COUNT(*) AS Issues,
       SUM(CASE WHEN i.State IN ('new', 'open') THEN 1 ELSE 0 END) AS Unsolved,
       MAX(i.UpdatedOn) AS LastChange
FROM destination.PROD.Repositories r
JOIN destination.PROD.Issues i ON i.RepositoryUUID = r.UUID
GROUP BY r.Name
ORDER BY LastChange DESC;

-- What a query of the source would ask for; nothing is asked. prod.Issues alone would be ambiguous
-- here, since the copy has a table PROD.Issues.
EXPLAIN SELECT Id, Title FROM prod.Information.Issues
WHERE Repository = 'api' AND UpdatedOn > '2026-01-01' ORDER BY UpdatedOn DESC LIMIT 5;
