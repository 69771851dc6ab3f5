import type { StoreHandle } from '../database/index.js';
import type { ProcessContext } from './process-lifecycle.js';

const readKey = `node -pe 'JSON.parse(require("fs").readFileSync(0,"utf8")).apiKey'`;

const json = `-H 'content-type: application/json'`;

/**
 * Curl commands that work as printed, from creating a tenant to completing a goal. Each start uses a new
 * tenant name.
 */
function tryLines(url: string, adminKey: string): string[] {
  const tenant = `demo-${Date.now().toString(36)}`;
  const say = (content: string): string =>
    `curl -s ${url}/v1/messages -H "authorization: Bearer $KEY" ${json} -d '{"participantId":"ana","channel":"web","content":"${content}"}'; echo`;
  return [
    `KEY=$(curl -s ${url}/v1/tenants -H "authorization: Bearer ${adminKey}" ${json} -d '{"id":"${tenant}","name":"Demo"}' | ${readKey})`,
    say('Hello, I would like to book a table'),
    say('We are 4 people'),
    say('Tomorrow'),
    say('19:30'),
    `curl -s ${url}/v1/sessions/ana -H "authorization: Bearer $KEY"; echo`,
    `curl -s "${url}/v1/conversations?participantId=ana" -H "authorization: Bearer $KEY"; echo`,
    `curl -s "${url}/v1/messages?limit=8" -H "authorization: Bearer $KEY"; echo`,
  ];
}

/** The text that `npm start` prints when the service is ready. */
export function banner(
  url: string,
  { settings, adminKeyFile }: ProcessContext,
  store: Readonly<StoreHandle>,
): string {
  const where =
    store.kind === 'mongodb'
      ? 'MongoDB, from MONGODB_URI'
      : `embedded store in ${store.dir ?? settings.service.DATA_DIR}${store.attached ? ' (run by another process)' : ''}; set MONGODB_URI for a MongoDB replica set`;
  const adminApiKey = settings.service.ADMIN_API_KEY ?? '';
  const keyInCurl = adminKeyFile === undefined ? '$ADMIN_API_KEY' : adminApiKey;
  return [
    '',
    `Colloquy is listening on ${url}   (API description: ${url}/docs)`,
    `  data       ${where}`,
    adminKeyFile === undefined
      ? '  admin key  from ADMIN_API_KEY'
      : `  admin key  ${adminApiKey}   (generated for development, stored in ${adminKeyFile}; set ADMIN_API_KEY in production)`,
    '',
    'To try a first conversation, paste this into another terminal:',
    '',
    ...tryLines(url, keyInCurl),
    '',
    '',
  ].join('\n');
}
