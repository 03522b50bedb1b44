CREATE TABLE `usage_by_model` (
	`enterprise` text NOT NULL,
	`unit` text NOT NULL,
	`cycle_starts_at_ms` integer NOT NULL,
	`model` text NOT NULL,
	`tier` text NOT NULL,
	`cycle_micros` integer NOT NULL,
	`model_requests` integer NOT NULL,
	`savings_micros` integer NOT NULL,
	`kinds` text NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`enterprise`, `unit`, `cycle_starts_at_ms`, `model`, `tier`)
);
--> statement-breakpoint
CREATE TABLE `usage_cube` (
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
);
--> statement-breakpoint
CREATE INDEX `usage_cube_of_workspace` ON `usage_cube` (`enterprise`,`workspace`,`day_starts_at_ms`);--> statement-breakpoint
CREATE INDEX `usage_cube_of_group` ON `usage_cube` (`enterprise`,`group_id`,`day_starts_at_ms`);--> statement-breakpoint
CREATE INDEX `usage_cube_of_user` ON `usage_cube` (`enterprise`,`user`,`day_starts_at_ms`);--> statement-breakpoint
CREATE INDEX `usage_cube_of_model` ON `usage_cube` (`enterprise`,`model`,`day_starts_at_ms`);--> statement-breakpoint
CREATE INDEX `usage_cube_of_surface` ON `usage_cube` (`enterprise`,`surface`,`day_starts_at_ms`);