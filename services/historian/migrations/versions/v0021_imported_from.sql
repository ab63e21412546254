-- Who said a price is the same words for ten million prices; what an answer needs to say is which of them came out of a file.
CREATE OR REPLACE VIEW price_history AS
SELECT
  n.node, t.market, p.interval_start, t.interval_end, t.environment,
  CASE WHEN NOT starts_with(o.source, 'import/') THEN t.fetched_at END AS fetched_at, p.lmp_usd_per_mwh,
  p.energy_usd_per_mwh, p.congestion_usd_per_mwh, p.loss_usd_per_mwh, p.ghg_usd_per_mwh, o.source, o.stream, t.seq, t.event_id,
  t.time, t.received_at, t.recorded_at, p.report_no,
  CASE WHEN starts_with(o.source, 'import/') THEN substr(o.source, 8) END AS imported_from
FROM price AS p
JOIN price_report AS t USING (report_no)
JOIN node AS n USING (node_no)
JOIN origin AS o USING (origin_no);

CREATE OR REPLACE VIEW price_latest AS
SELECT DISTINCT ON (environment, market, node, interval_start) *
FROM price_history
ORDER BY environment, market, node, interval_start, fetched_at DESC NULLS LAST, report_no;

COMMENT ON COLUMN price_history.imported_from IS
  'The NAME that its file was imported by (source is import/NAME); null of what OASIS gave.';
COMMENT ON COLUMN price_latest.imported_from IS
  'The NAME that its file was imported by (source is import/NAME); null of what OASIS gave.';
