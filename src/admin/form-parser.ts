import { errorCodes, type FastifyInstance } from 'fastify';
import { isAdminRequest } from './session/admin-paths.js';

const MAX_BYTES = 16_384;

/** Parses the forms of the admin pages. All other routes still reject forms, because the API accepts JSON. */
export function addFormParser(fastify: FastifyInstance): void {
  fastify.addContentTypeParser<string>(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: MAX_BYTES },
    (request, body, done) => {
      if (isAdminRequest(request)) done(null, Object.fromEntries(new URLSearchParams(body)));
      else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(request.headers['content-type'] ?? ''));
    },
  );
}
