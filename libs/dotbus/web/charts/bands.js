"use strict";
// Bands: stretches of doubt behind the lines, hatched one way where uncertain, crossed where bad.

function drawBands(plot, bands) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const band of bands) {
    const [left, right] = [band.from, band.to].map((at) => plot.valToPos(at, "x", true));
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    hatch(ctx, left, Math.max(right, left + 1), bbox, band.isBad);
  }
  ctx.restore();
}

function hatch(ctx, left, right, bbox, isBad) {
  const step = (isBad ? 9 : 13) * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour(isBad ? "--alarm" : "--doubt");
  ctx.globalAlpha = isBad ? 0.3 : 0.5;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  const from = Math.max(left, bbox.left) - bbox.height;
  const to = Math.min(right, bbox.left + bbox.width) + bbox.height;
  for (let x = Math.floor(from / step) * step; x < to; x += step) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
    if (isBad) { ctx.moveTo(x, bbox.top); ctx.lineTo(x + bbox.height, bbox.top + bbox.height); }
  }
  ctx.stroke();
  ctx.restore();
}
