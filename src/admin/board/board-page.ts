/** External fonts, which the content security policy of our pages and closed networks block. */
const foreignStyles = /<link href="https:[^<>]*rel="stylesheet">/g;

/**
 * Hides what the board offers but the server rejects (pausing, adding, editing, rescheduling and emptying)
 * and states that our jobs do not have. Only the icons have stable class names; others change with each
 * version.
 */
const style = `
button[class^="trigger-"]:has(.lucide-ellipsis-vertical),
[role="menuitem"]:has(.lucide-pause,.lucide-play,.lucide-plus,.lucide-trash2,.lucide-ban),
[class^="jobActions-"] li:has(.lucide-files,.lucide-pencil,.lucide-clock),
[class^="queueActions-"]:has(.lucide-corner-up-left) li:has(.lucide-trash2),
[class^="statusTabs-"] li:is([class^="waitingChildren-"],[class^="prioritized-"],[class^="paused-"])
{display:none}`;

/** Adapts the page of Bull Board for this service. */
export const adaptPage = (html: string): string =>
  html.replace(foreignStyles, '').replace('</head>', `<style>${style}</style></head>`);
