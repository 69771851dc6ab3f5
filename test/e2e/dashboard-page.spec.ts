import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { SESSION_MS } from '../../src/admin/session/admin-sessions.js';
import { DashboardFeed, MAX_VIEWERS } from '../../src/admin/dashboard/dashboard-feed.js';
import type { DashboardSample } from '../../src/admin/dashboard/dashboard-sampler.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const EVENTS = '/admin/dashboard/events';

let admin: TestApp;
const open: EventReader[] = [];

/** Reads server-sent events from a response. */
class EventReader {
  private text = '';
  readonly ended: Promise<unknown>;

  constructor(readonly answer: IncomingMessage) {
    answer.setEncoding('utf8');
    answer.on('error', () => undefined);
    this.ended = once(answer, 'close');
  }

  /** Waits for the next event with this name and returns its data. Skips other events. */
  async next(name: string): Promise<unknown> {
    for (;;) {
      const [event, ...rest] = this.text.split('\n\n');
      if (rest.length > 0) {
        this.text = rest.join('\n\n');
        const data = new RegExp(`^event: ${name}\ndata: (.*)$`, 'm').exec(event ?? '')?.[1];
        if (data !== undefined) return JSON.parse(data);
      } else {
        const [chunk] = (await once(this.answer, 'data')) as [string];
        this.text += chunk;
      }
    }
  }

  close(): void {
    this.answer.destroy();
  }
}

const send = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(admin.url + path, { redirect: 'manual', headers });

const bearer = (): Record<string, string> => ({ authorization: `Bearer ${admin.adminKey}` });

async function signIn(): Promise<string> {
  const answer = await fetch(`${admin.url}/admin/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: admin.url },
    body: new URLSearchParams({ key: admin.adminKey }),
  });
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

async function follow(headers: Record<string, string>): Promise<EventReader> {
  const asked = request(admin.url + EVENTS, { headers, agent: false });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const reader = new EventReader(answer);
  open.push(reader);
  return reader;
}

beforeAll(async () => {
  admin = await createTestApp();
});
afterEach(async () => {
  for (const reader of open.splice(0)) reader.close();
  await eventually(() => admin.app.get(DashboardFeed).viewerCount === 0);
});
afterAll(() => admin.close());

it('redirects a browser that is not signed in to the sign-in page, and rejects requests for the stream and the files', async () => {
  const page = await send('/admin/dashboard', { accept: 'text/html' });
  expect(page.status).toBe(303);
  expect(page.headers.get('location')).toBe('/admin/login?next=%2Fadmin%2Fdashboard');
  for (const path of [EVENTS, '/admin/dashboard/assets/dashboard.js']) {
    const refused = await send(path, { accept: '*/*' });
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ code: 'admin_login_required' });
  }
});

it('serves the page and every file it references from the service itself, without inline scripts', async () => {
  const page = await send('/admin/dashboard', bearer());
  const html = await page.text();
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(html).not.toMatch(/https?:|<script>|<style>/);
  const files = [...html.matchAll(/(?:src|href)="(\/admin\/dashboard\/assets\/[^"]+)"/g)].map(
    ([, path = '']) => path,
  );
  expect(files).toHaveLength(4);
  for (const path of [...files, '/admin/dashboard/assets/charts.js']) {
    const file = await send(path, bearer());
    expect(file.status).toBe(200);
    expect(file.headers.get('content-type')).toMatch(/^text\/(javascript|css);/);
    const etag = file.headers.get('etag') ?? '';
    expect((await file.text()).length).toBeGreaterThan(500);
    expect((await send(path, { ...bearer(), 'if-none-match': etag })).status).toBe(304);
  }
  for (const name of ['nothing.js', '..%2Fdashboard.controller.js', 'constructor'])
    expect((await send(`/admin/dashboard/assets/${name}`, bearer())).status).toBe(404);
});

it('sends the history, then snapshots that include the requests made meanwhile', async () => {
  const reader = await follow({ cookie: await signIn() });
  expect(reader.answer.statusCode).toBe(200);
  expect(reader.answer.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': expect.stringContaining("script-src 'self'"),
  });
  expect(await reader.next('history')).toMatchObject({ at: [], p95Ms: [] });
  const first = (await reader.next('snapshot')) as DashboardSample;
  expect(first.statusSince).toBe(first.snapshot.at);
  expect(first.point.rssBytes).toBeGreaterThan(1_000_000);
  await send('/v1/conversations');
  const asked = ({ snapshot }: DashboardSample): boolean =>
    snapshot.requests.routes.some(({ route }) => route === 'GET /v1/conversations');
  expect(asked(first)).toBe(false);
  let latest = first;
  while (!asked(latest)) latest = (await reader.next('snapshot')) as DashboardSample;
  // The open stream counts neither as a slow request nor as a request.
  reader.close();
  const after = (await (await follow(bearer())).next('snapshot')) as DashboardSample;
  expect(JSON.stringify(after.snapshot.requests)).not.toContain(EVENTS);
  expect(JSON.stringify(after)).not.toContain(admin.adminKey);
});

it('ends the stream when the sign-in expires', async () => {
  const now = jest.spyOn(Date, 'now');
  try {
    const real = Date.now();
    now.mockReturnValue(real - SESSION_MS + 60_000);
    const cookie = await signIn();
    now.mockReturnValue(real);
    const reader = await follow({ cookie });
    await reader.next('snapshot');
    now.mockReturnValue(real + 60_001);
    await reader.next('signed-out');
    await reader.ended;
    expect((await send(EVENTS, { cookie })).status).toBe(401);
  } finally {
    now.mockRestore();
  }
});

it('limits the number of viewers, and accepts another one after one has left', async () => {
  const readers: EventReader[] = [];
  for (let i = 0; i < MAX_VIEWERS; i++) readers.push(await follow(bearer()));
  const refused = await send(EVENTS, bearer());
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: 'too_many_viewers' });
  for (const reader of readers.slice(0, 2)) reader.close();
  // A request for headers only does not count as a viewer.
  const feed = admin.app.get(DashboardFeed);
  await eventually(() => feed.viewerCount === MAX_VIEWERS - 2);
  for (let i = 0; i < 3; i++) {
    const head = await fetch(admin.url + EVENTS, { method: 'HEAD', headers: bearer() });
    expect(head.headers.get('content-type')).toContain('text/event-stream');
  }
  expect(feed.viewerCount).toBe(MAX_VIEWERS - 2);
  expect((await follow(bearer())).answer.statusCode).toBe(200);
});

// This test closes the server, so it runs last.
it('ends all streams when the service stops', async () => {
  const readers = [await follow({ cookie: await signIn() }), await follow(bearer())];
  for (const reader of readers) await reader.next('snapshot');
  await admin.app.getHttpAdapter().close();
  await Promise.all(readers.map(({ ended }) => ended));
  for (const { answer } of readers) expect(answer.complete).toBe(true);
});
