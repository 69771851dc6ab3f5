import { LOGIN, LOGOUT } from '../session/admin-paths.js';
import { escapeHtml } from './html.js';

const style = `
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--text:#1c2430;--soft:#566072;--line:#8a94a6;--accent:#1d5fd1;--on-accent:#fff;--bad:#b3261e;--bad-ground:#fdecea}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1b212b;--text:#e8ecf3;--soft:#a5b0c2;--line:#69748a;--accent:#7fb0ff;--on-accent:#0c1524;--bad:#ffb4ab;--bad-ground:#3a1c1a}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{width:100%;max-width:24rem;padding:2rem;background:var(--card);border-radius:12px;box-shadow:0 1px 3px #0003}
h1{margin:0 0 .25rem;font-size:1.4rem}
p{margin:0 0 1.25rem;color:var(--soft)}
p.problem{padding:.6rem .8rem;border-radius:8px;background:var(--bad-ground);color:var(--bad)}
label{display:block;margin-bottom:.35rem;font-weight:600}
input,button{width:100%;min-height:44px;padding:.5rem .75rem;border-radius:8px;font:inherit}
input{border:1px solid var(--line);background:var(--ground);color:var(--text)}
button{margin-top:1rem;border:0;background:var(--accent);color:var(--on-accent);font-weight:600;cursor:pointer}
input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
a{color:var(--accent)}`;

const page = (title: string, content: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)} · Colloquy</title>
<style>${style}</style>
</head>
<body>
<main>
${content}
</main>
</body>
</html>
`;

/**
 * Renders the sign-in form. `next` is the page to open after it, `problem` the reason why the last attempt
 * failed.
 */
export function loginPage(next: string, problem?: string): string {
  const message =
    problem === undefined ? '' : `<p class="problem" role="alert" id="problem">${escapeHtml(problem)}</p>`;
  const described = problem === undefined ? '' : ' aria-invalid="true" aria-describedby="problem"';
  return page(
    'Sign in',
    `<h1>Colloquy</h1>
<p>Sign in with the admin key to see the dashboard and the queues.</p>
${message}
<form method="post" action="${LOGIN}">
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label for="key">Admin key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus${described}>
<button type="submit">Sign in</button>
</form>`,
  );
}

/** Asks for confirmation before signing out, because following a link must not end the session. */
export const logoutPage = (back: string): string =>
  page(
    'Sign out',
    `<h1>Sign out?</h1>
<p>This browser will ask for the admin key again.</p>
<form method="post" action="${LOGOUT}">
<button type="submit">Sign out</button>
</form>
<p style="margin:1rem 0 0"><a href="${escapeHtml(back)}">Back</a></p>`,
  );
