/** The script of the usage page: live numbers and the interactive chart. Must run before htmx (see layout.tsx). */
import { showCharts } from "./usage/chart.ts";
import { stayLive } from "./usage/connection.ts";

stayLive();
showCharts();
