import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminOnly, notFound } from '../../http/index.js';
import { LongLived } from '../../monitoring/index.js';
import { AdminGate } from '../admin-gate.js';
import { DashboardFeed } from './dashboard-feed.js';
import { dashboardPage } from './dashboard-page.js';
import { HttpViewer } from './http-viewer.js';
import { loadPageAssets } from './page-assets.js';

/** The dashboard page, its assets and its event stream. */
@ApiExcludeController()
@AdminOnly()
@Controller('admin/dashboard')
export class DashboardController {
  private readonly assets = loadPageAssets();
  private readonly page = dashboardPage();

  constructor(
    private readonly gate: AdminGate,
    private readonly feed: DashboardFeed,
  ) {}

  @Get()
  show(@Res() reply: FastifyReply): void {
    void reply.type('text/html; charset=utf-8').send(this.page);
  }

  /**
   * Server-sent events: `history` once, then `snapshot` every 2 s. When the session ends, `signed-out` is the
   * last event.
   */
  @Get('events')
  @LongLived()
  follow(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.feed.assertCapacity();
    const viewer = new HttpViewer(reply);
    // A HEAD request does not become a viewer.
    if (request.method === 'HEAD') viewer.end();
    else
      viewer.onGone(
        this.feed.add(viewer, this.gate.signedInUntil(request), () => this.gate.isStillSignedIn(request)),
      );
  }

  @Get('assets/:name')
  asset(@Param('name') name: string, @Req() { headers }: FastifyRequest, @Res() reply: FastifyReply): void {
    const asset = this.assets.get(name);
    if (!asset) throw notFound('asset');
    // Browsers cache the asset but revalidate it each time, so that a new version is used immediately.
    void reply.headers({ 'cache-control': 'private, no-cache', etag: asset.etag });
    if (headers['if-none-match'] === asset.etag) void reply.status(304).send();
    else void reply.type(asset.type).send(asset.content);
  }
}
