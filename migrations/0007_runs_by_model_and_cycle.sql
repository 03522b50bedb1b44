CREATE TABLE `run_cycles` (
	`enterprise` text NOT NULL,
	`run` text NOT NULL,
	`unit` text NOT NULL,
	`cycle_starts_at_ms` integer NOT NULL,
	`started_at_ms` integer NOT NULL,
	`micros` integer NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`enterprise`, `run`, `unit`, `cycle_starts_at_ms`)
);
--> statement-breakpoint
CREATE INDEX `run_cycles_newest` ON `run_cycles` (`enterprise`,`cycle_starts_at_ms`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE TABLE `run_models` (
	`enterprise` text NOT NULL,
	`run` text NOT NULL,
	`model` text NOT NULL,
	`started_at_ms` integer NOT NULL,
	`used` integer NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`enterprise`, `run`, `model`)
);
--> statement-breakpoint
CREATE INDEX `run_models_newest` ON `run_models` (`enterprise`,`model`,`started_at_ms`,`run`);--> statement-breakpoint
ALTER TABLE `runs` ADD `usage` text;--> statement-breakpoint
ALTER TABLE `runs` ADD `price_book_versions` text;