/** The script of every page behind a sign-in: small behaviours, without which each page is still complete. */

import { followAddress } from "./page/address.ts";
import { reportFailedLinks } from "./page/failures.ts";
import { guardForms } from "./page/forms.ts";
import { closeMenus } from "./page/menus.ts";
import { describeTimes, speakNotices } from "./page/notices.ts";

// The stylesheet shows what needs a script, and hides what replaces it without one.
document.documentElement.dataset.script = "";

followAddress();
closeMenus();
guardForms();
describeTimes();
reportFailedLinks();
speakNotices();
