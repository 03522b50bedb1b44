CREATE TABLE `enterprise_search` (
	`enterprise` text NOT NULL,
	`key` text NOT NULL,
	PRIMARY KEY(`enterprise`, `key`)
);
--> statement-breakpoint
CREATE INDEX `enterprise_search_key` ON `enterprise_search` (`key`,`enterprise`);--> statement-breakpoint
ALTER TABLE `enterprises` ADD `suspended` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `enterprises` ADD `settings_revision` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `enterprises_newest` ON `enterprises` (`created_at_ms`,`id`);