SELECT 1;
SELECT 'open
FROM Issues;
