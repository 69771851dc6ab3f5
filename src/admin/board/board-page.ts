/** Fonts from elsewhere, which neither the policy of our pages nor a closed network lets through. */
const foreignStyles = /<link href="https:[^>]*rel="stylesheet">/g;

/**
 * Takes away what the board would offer and the server refuses: pausing, adding, editing, rescheduling and emptying, and states that our
 * jobs do not have. Its icons have names; its other classes change with each version.
 */
const style = `
button[class^="trigger-"]:has(.lucide-ellipsis-vertical),
[role="menuitem"]:has(.lucide-pause,.lucide-play,.lucide-plus,.lucide-trash2,.lucide-ban),
[class^="jobActions-"] li:has(.lucide-files,.lucide-pencil,.lucide-clock),
[class^="queueActions-"]:has(.lucide-corner-up-left) li:has(.lucide-trash2),
[class^="statusTabs-"] li:is([class^="waitingChildren-"],[class^="prioritized-"],[class^="paused-"])
{display:none}`;

/** The page of Bull Board as we serve it. */
export const adaptPage = (html: string): string =>
  html.replace(foreignStyles, '').replace('</head>', `<style>${style}</style></head>`);
