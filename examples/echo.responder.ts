import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import {
  type Responder,
  ResponderError,
  type ResponderRequest,
  type ResponderResult,
} from '../src/responder/index.js';

const echoConfig = z.strictObject({ prefix: z.string().min(1).max(100).default('You said:') });
type EchoConfig = z.output<typeof echoConfig>;

/** Says again what the participant said, and counts how often it did. */
@Injectable()
export class EchoResponder implements Responder<EchoConfig> {
  readonly type = 'echo';
  readonly configSchema = echoConfig;

  respond({ config, message, session }: ResponderRequest<EchoConfig>): Promise<ResponderResult> {
    if (message.content === '') throw new ResponderError('Only text can be echoed.');
    const echoes = Number(session.context['echoes'] ?? 0) + 1;
    return Promise.resolve({
      reply: { content: `${config.prefix} ${message.content}`, metadata: { echoes } },
      context: { ...session.context, echoes },
    });
  }
}
