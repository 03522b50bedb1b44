-- The largest rows of a cycle are found by their magnitude, which few charges change. Rows that are already there have
-- none until they change or the copy is rebuilt. Until then the second index finds them.
DROP INDEX `usage_by_dimension_amount`;
--> statement-breakpoint
ALTER TABLE `usage_by_dimension` ADD `magnitude` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE `usage_by_dimension` ADD `magnitude_revision` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
CREATE INDEX `usage_by_dimension_magnitude` ON `usage_by_dimension` (`enterprise`,`unit`,`cycle_starts_at_ms`,`dimension`,`magnitude`);
--> statement-breakpoint
CREATE INDEX `usage_by_dimension_unranked` ON `usage_by_dimension` (`enterprise`,`unit`,`cycle_starts_at_ms`,`dimension`) WHERE magnitude_revision <> revision;
