import { encode } from 'uqr'
import { useMemo } from 'preact/hooks'

// QR draws a code, dark on light whatever the theme: scanners want it so.
export function QR({ content, label }: { content: string; label: string }) {
  const { size, path } = useMemo(() => {
    const { data } = encode(content, { ecc: 'M', border: 4 })
    let path = ''
    data.forEach((row, y) => row.forEach((dark, x) => dark && (path += `M${x} ${y}h1v1h-1z`)))
    return { size: data.length, path }
  }, [content])
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
