package ticket

import (
	"bytes"
	"encoding/binary"
	"image"
)

// Members of the page header of PWG 5102.4, by their offsets.
const (
	headerSize     = 1796
	atResolution   = 276
	atCopies       = 340
	atPageSize     = 352
	atPixels       = 372
	atBitsPerColor = 384
	atBitsPerPixel = 388
	atBytesPerLine = 392
	atColorSpace   = 400
	atNumColors    = 420
	atTotalPages   = 452
	atTransforms   = 456
	sGray          = 18
	pointsPerInch  = 72
)

// PWGRaster writes pages in PWG raster (PWG 5102.4), 8 bits of grey for each pixel: every IPP
// Everywhere printer takes it.
func PWGRaster(pages []*image.Gray, resolution int) []byte {
	var out bytes.Buffer
	out.WriteString("RaS2")
	for _, page := range pages {
		out.Write(pageHeader(page.Bounds().Size(), resolution, len(pages)))
		writeLines(&out, page)
	}
	return out.Bytes()
}

func pageHeader(size image.Point, resolution, pages int) []byte {
	header := make([]byte, headerSize)
	copy(header, "PwgRaster")
	put := func(at int, values ...int) {
		for i, value := range values {
			binary.BigEndian.PutUint32(header[at+4*i:], uint32(value)) //nolint:gosec // sizes of paper
		}
	}
	put(atResolution, resolution, resolution)
	put(atCopies, 1)
	put(atPageSize, size.X*pointsPerInch/resolution, size.Y*pointsPerInch/resolution)
	put(atPixels, size.X, size.Y)
	put(atBitsPerColor, 8)
	put(atBitsPerPixel, 8)
	put(atBytesPerLine, size.X)
	put(atColorSpace, sGray)
	put(atNumColors, 1)
	put(atTotalPages, pages)
	put(atTransforms, 1, 1)
	return header
}

// writeLines compresses a page: a byte says how often a line is repeated, and within a line one says
// how often a pixel is.
func writeLines(out *bytes.Buffer, page *image.Gray) {
	size := page.Bounds().Size()
	line := func(y int) []byte { return page.Pix[y*page.Stride:][:size.X] }
	for y := 0; y < size.Y; {
		repeats := 1
		for repeats < 256 && y+repeats < size.Y && bytes.Equal(line(y), line(y+repeats)) {
			repeats++
		}
		out.WriteByte(byte(repeats - 1))
		writeRuns(out, line(y))
		y += repeats
	}
}

func writeRuns(out *bytes.Buffer, pixels []byte) {
	for x := 0; x < len(pixels); {
		run := 1
		for run < 128 && x+run < len(pixels) && pixels[x+run] == pixels[x] {
			run++
		}
		out.WriteByte(byte(run - 1))
		out.WriteByte(pixels[x])
		x += run
	}
}
