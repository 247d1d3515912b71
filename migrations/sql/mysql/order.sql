ALTER TABLE durable_signals
    ADD COLUMN no BIGINT NOT NULL AUTO_INCREMENT,
    ADD UNIQUE KEY durable_signals_no (no),
    DROP KEY durable_signals_buffered,
    ADD KEY durable_signals_buffered (token, buffered, no);
