const pollMs = 250;

/**
 * Ends this process as SIGTERM would when its parent, npm, is gone. npm forwards SIGINT and SIGTERM but not
 * SIGHUP, and cannot forward SIGKILL. The npm scripts `exec` node, because a shell in between would receive
 * the signal instead of node.
 */
export function stopWithParent() {
  if (!process.env.npm_lifecycle_event || process.platform === 'win32') return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, pollMs);
  timer.unref();
}
