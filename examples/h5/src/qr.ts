import { encode } from 'uqr'

const svg = 'http://www.w3.org/2000/svg'

/** qrCode draws a text as elements, without markup: a strict Content-Security-Policy and Trusted Types have nothing to forbid. */
export function qrCode(text: string, label: string): SVGSVGElement {
  const { data, size } = encode(text, { ecc: 'M', border: 4 })
  const path = document.createElementNS(svg, 'path')
  path.setAttribute('fill', 'currentColor')
  path.setAttribute('d', data.flatMap((row, y) => row.map((dark, x) => dark ? `M${x} ${y}h1v1h-1z` : '')).join(''))
  const image = document.createElementNS(svg, 'svg')
  image.setAttribute('viewBox', `0 0 ${size} ${size}`)
  image.setAttribute('shape-rendering', 'crispEdges')
  image.setAttribute('role', 'img')
  image.setAttribute('aria-label', label)
  image.append(path)
  return image
}
