// A bare Fastify server: each route returns the bytes that it was given. It parses JSON bodies and stores
// nothing. The argument contains the responses as JSON.
import { fastify } from 'fastify';
import type { Answer } from './targets.js';

const answers = JSON.parse(process.argv[2] ?? '[]') as Answer[];
const app = fastify();
for (const { method, template, status, type, body } of answers)
  app.route({
    method,
    url: template,
    handler: (_request, reply) => reply.code(status).type(type).send(body),
  });
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ type: 'listening', url });
process.on('disconnect', () => process.exit(0));
