import { Body, Controller, Get, Post, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AdminOnly, Public } from '../http/index.js';
import { AdminGate } from './admin-gate.js';
import { loginPage, logoutPage } from './pages/login-page.js';
import { localTarget, LOGIN, START } from './session/admin-paths.js';
import { AdminSessions } from './session/admin-sessions.js';
import { clearSessionCookie, setSessionCookie } from './session/session-cookie.js';

const text = z.string().max(8192);
const loginQuery = z.object({ next: text.optional().catch(undefined) });
const loginBody = z.object({ key: text, next: text.optional() });

const sendPage = (reply: FastifyReply, status: number, html: string): void => {
  void reply.status(status).type('text/html; charset=utf-8').send(html);
};

/** The sign-in and sign-out pages. `AdminGate` checks requests to these and all other pages under /admin. */
@ApiExcludeController()
@Controller('admin')
export class AdminController {
  constructor(
    private readonly gate: AdminGate,
    private readonly sessions: AdminSessions,
  ) {}

  @Get()
  @AdminOnly()
  start(@Res() reply: FastifyReply): void {
    void reply.redirect(START, 303);
  }

  @Get('login')
  @Public()
  async form(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query({ schema: loginQuery }) { next }: z.output<typeof loginQuery>,
  ): Promise<void> {
    const target = localTarget(next);
    if (await this.gate.isSignedIn(request)) void reply.redirect(target, 303);
    else sendPage(reply, 200, loginPage(target));
  }

  @Post('login')
  @Public()
  async login(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Body() body: unknown,
  ): Promise<void> {
    const given = loginBody.safeParse(body).data ?? { key: '' };
    const target = localTarget(given.next);
    const refusal = await this.gate.refusalOfKey(given.key, request);
    if (!refusal) {
      setSessionCookie(request, reply, this.sessions.issue());
      void reply.redirect(target, 303);
      return;
    }
    const { status, retryAfterSeconds, detail } = refusal.problem;
    if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
    const isWrong = status === 401;
    if (isWrong) void reply.header('www-authenticate', 'Bearer realm="colloquy"');
    const problem = isWrong ? 'This is not the admin key.' : (detail ?? 'Try again later.');
    sendPage(reply, status, loginPage(target, problem));
  }

  @Get('logout')
  @Public()
  askLogout(@Res() reply: FastifyReply): void {
    sendPage(reply, 200, logoutPage(START));
  }

  @Post('logout')
  @Public()
  async logout(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    clearSessionCookie(request, reply);
    await this.gate.signOut(request);
    void reply.redirect(LOGIN, 303);
  }
}
