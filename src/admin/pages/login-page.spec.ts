import { loginPage, logoutPage } from './login-page.js';

const hostile = '"><script>alert(1)</script>\'&';
const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;';

it('escapes its arguments', () => {
  for (const html of [loginPage(hostile), loginPage('/admin', hostile), logoutPage(hostile)]) {
    expect(html).toContain(escaped);
    expect(html).not.toContain('<script>');
  }
});

it('labels the field, and associates the problem with it', () => {
  const html = loginPage('/admin/queues', 'Not that one.');
  expect(html).toMatch(/<label for="key">/);
  expect(html).toMatch(/role="alert" id="problem">Not that one\.</);
  expect(html).toMatch(/id="key"[^>]*aria-describedby="problem"/);
  expect(loginPage('/admin/queues')).not.toContain('role="alert"');
});
