-- What a change of a holdings record, an item or a patron found and wrote, for its undo: under this name (a SHA-256) it is sealed in
-- VAR/vault/images. Of these kinds `patch` has {"elements": {element: [before, after]}}, masked.
ALTER TABLE ledger ADD COLUMN sealed text;
