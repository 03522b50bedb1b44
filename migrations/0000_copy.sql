CREATE TABLE `enterprises` (
	`id` text PRIMARY KEY NOT NULL,
	`created_at_ms` integer NOT NULL,
	`name` text NOT NULL,
	`gauge` text NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `entries` (
	`enterprise` text NOT NULL,
	`seq` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`type` text NOT NULL,
	`caused_by` text NOT NULL,
	`facts` text NOT NULL,
	PRIMARY KEY(`enterprise`, `seq`)
);
--> statement-breakpoint
CREATE INDEX `entries_of_cap` ON `entries` (`enterprise`,`seq`) WHERE type = 'cap_changed';--> statement-breakpoint
CREATE TABLE `names` (
	`enterprise` text NOT NULL,
	`kind` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`group_id` text,
	`revision` integer NOT NULL,
	PRIMARY KEY(`enterprise`, `kind`, `id`)
);
--> statement-breakpoint
CREATE TABLE `runs` (
	`enterprise` text NOT NULL,
	`run` text NOT NULL,
	`surface` text NOT NULL,
	`workspace` text NOT NULL,
	`group_id` text NOT NULL,
	`user` text NOT NULL,
	`started_at_ms` integer NOT NULL,
	`last_report_at_ms` integer,
	`models` text NOT NULL,
	`unit` text NOT NULL,
	`charged_micros` integer NOT NULL,
	`cycle_starts_at_ms` integer NOT NULL,
	`cycle_micros` integer NOT NULL,
	`final` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`enterprise`, `run`)
);
--> statement-breakpoint
CREATE INDEX `runs_newest` ON `runs` (`enterprise`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE INDEX `runs_of_cycle` ON `runs` (`enterprise`,`cycle_starts_at_ms`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE INDEX `runs_of_workspace` ON `runs` (`enterprise`,`workspace`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE INDEX `runs_of_group` ON `runs` (`enterprise`,`group_id`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE INDEX `runs_of_user` ON `runs` (`enterprise`,`user`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE INDEX `runs_of_surface` ON `runs` (`enterprise`,`surface`,`started_at_ms`,`run`);--> statement-breakpoint
CREATE TABLE `usage_by_dimension` (
	`enterprise` text NOT NULL,
	`unit` text NOT NULL,
	`cycle_starts_at_ms` integer NOT NULL,
	`dimension` text NOT NULL,
	`id` text NOT NULL,
	`requests` integer NOT NULL,
	`amount_micros` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`enterprise`, `unit`, `cycle_starts_at_ms`, `dimension`, `id`)
);
--> statement-breakpoint
CREATE INDEX `usage_by_dimension_amount` ON `usage_by_dimension` (`enterprise`,`unit`,`cycle_starts_at_ms`,`dimension`,`amount_micros`,`id`);--> statement-breakpoint
CREATE TABLE `usage_daily` (
	`enterprise` text NOT NULL,
	`unit` text NOT NULL,
	`starts_at_ms` integer NOT NULL,
	`surface` text NOT NULL,
	`amount_micros` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`enterprise`, `unit`, `starts_at_ms`, `surface`)
);
--> statement-breakpoint
CREATE TABLE `usage_hourly` (
	`enterprise` text NOT NULL,
	`unit` text NOT NULL,
	`starts_at_ms` integer NOT NULL,
	`surface` text NOT NULL,
	`amount_micros` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`enterprise`, `unit`, `starts_at_ms`, `surface`)
);
