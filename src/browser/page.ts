/** The script of every signed-in page. It adds small conveniences; each page also works without it. */

import { followAddress } from "./page/address.ts";
import { copyOnClick } from "./page/copy.ts";
import { reportFailedLinks } from "./page/failures.ts";
import { guardForms } from "./page/forms.ts";
import { closeMenus } from "./page/menus.ts";
import { describeTimes, speakNotices } from "./page/notices.ts";
import { previewBars } from "./page/preview.ts";

// The stylesheet uses this attribute to show elements that need the script, and to hide those that replace it.
document.documentElement.dataset.script = "";

followAddress();
closeMenus();
copyOnClick();
guardForms();
previewBars();
describeTimes();
reportFailedLinks();
speakNotices();
