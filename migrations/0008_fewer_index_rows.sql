-- Runs of each surface follow an index that lists them newest first, so all runs need no index of their own.
-- A table WITHOUT ROWID writes one row less for each new row. Copying takes seconds per million rows.
DROP INDEX `runs_newest`;
--> statement-breakpoint
CREATE TABLE `new_usage_cube` (
	`enterprise` text NOT NULL,
	`day_starts_at_ms` integer NOT NULL,
	`cycle_starts_at_ms` integer NOT NULL,
	`unit` text NOT NULL,
	`workspace` text NOT NULL,
	`group_id` text NOT NULL,
	`user` text NOT NULL,
	`model` text NOT NULL,
	`tier` text NOT NULL,
	`surface` text NOT NULL,
	`amount_micros` integer NOT NULL,
	`cycle_micros` integer NOT NULL,
	`requests` integer NOT NULL,
	`model_requests` integer NOT NULL,
	`meter_requests` integer NOT NULL,
	`savings_micros` integer NOT NULL,
	`kinds` text NOT NULL,
	`hours` text NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`enterprise`, `day_starts_at_ms`, `cycle_starts_at_ms`, `unit`, `workspace`, `group_id`, `user`, `model`, `tier`, `surface`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `new_usage_cube` (`enterprise`, `day_starts_at_ms`, `cycle_starts_at_ms`, `unit`, `workspace`, `group_id`, `user`, `model`, `tier`, `surface`, `amount_micros`, `cycle_micros`, `requests`, `model_requests`, `meter_requests`, `savings_micros`, `kinds`, `hours`, `revision`, `generation`) SELECT `enterprise`, `day_starts_at_ms`, `cycle_starts_at_ms`, `unit`, `workspace`, `group_id`, `user`, `model`, `tier`, `surface`, `amount_micros`, `cycle_micros`, `requests`, `model_requests`, `meter_requests`, `savings_micros`, `kinds`, `hours`, `revision`, `generation` FROM `usage_cube` ORDER BY `enterprise`, `day_starts_at_ms`, `cycle_starts_at_ms`, `unit`, `workspace`, `group_id`, `user`, `model`, `tier`, `surface`;
--> statement-breakpoint
DROP TABLE `usage_cube`;
--> statement-breakpoint
ALTER TABLE `new_usage_cube` RENAME TO `usage_cube`;
--> statement-breakpoint
CREATE INDEX `usage_cube_of_workspace` ON `usage_cube` (`enterprise`,`workspace`,`day_starts_at_ms`);
--> statement-breakpoint
CREATE INDEX `usage_cube_of_group` ON `usage_cube` (`enterprise`,`group_id`,`day_starts_at_ms`);
--> statement-breakpoint
CREATE INDEX `usage_cube_of_user` ON `usage_cube` (`enterprise`,`user`,`day_starts_at_ms`);
--> statement-breakpoint
CREATE INDEX `usage_cube_of_model` ON `usage_cube` (`enterprise`,`model`,`day_starts_at_ms`);
--> statement-breakpoint
CREATE INDEX `usage_cube_of_surface` ON `usage_cube` (`enterprise`,`surface`,`day_starts_at_ms`);
--> statement-breakpoint
CREATE TABLE `new_run_models` (
	`enterprise` text NOT NULL,
	`run` text NOT NULL,
	`model` text NOT NULL,
	`started_at_ms` integer NOT NULL,
	`used` integer NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`enterprise`, `run`, `model`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `new_run_models` (`enterprise`, `run`, `model`, `started_at_ms`, `used`, `revision`, `generation`) SELECT `enterprise`, `run`, `model`, `started_at_ms`, `used`, `revision`, `generation` FROM `run_models` ORDER BY `enterprise`, `run`, `model`;
--> statement-breakpoint
DROP TABLE `run_models`;
--> statement-breakpoint
ALTER TABLE `new_run_models` RENAME TO `run_models`;
--> statement-breakpoint
CREATE INDEX `run_models_newest` ON `run_models` (`enterprise`,`model`,`started_at_ms`,`run`);
