/** The script of every signed-in page: small conveniences. Each page also works without them. */

import { followAddress } from "./page/address.ts";
import { reportFailedLinks } from "./page/failures.ts";
import { guardForms } from "./page/forms.ts";
import { closeMenus } from "./page/menus.ts";
import { describeTimes, speakNotices } from "./page/notices.ts";

// The stylesheet then shows what needs a script, and hides what is there for pages without one.
document.documentElement.dataset.script = "";

followAddress();
closeMenus();
guardForms();
describeTimes();
reportFailedLinks();
speakNotices();
