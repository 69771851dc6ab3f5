import { loginPage, logoutPage } from './login-page.js';

const hostile = '"><script>alert(1)</script>\'&';
const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;';

it('escapes what it is given', () => {
  for (const html of [loginPage(hostile), loginPage('/admin', hostile), logoutPage(hostile)]) {
    expect(html).toContain(escaped);
    expect(html).not.toContain('<script>');
  }
});

it('names the field, and ties the problem to it', () => {
  const html = loginPage('/admin/queues', 'Not that one.');
  expect(html).toMatch(/<label for="key">/);
  expect(html).toMatch(/role="alert" id="problem">Not that one\.</);
  expect(html).toMatch(/id="key"[^>]*aria-describedby="problem"/);
  expect(loginPage('/admin/queues')).not.toContain('role="alert"');
});
