package ticket

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Font draws the characters of a ticket for printers that have no Chinese ones of their own. The
// Chinese ones come from a file, those of ASCII from a font in this program: fonts of Chinese
// characters often lack them.
type Font struct{ chinese, latin *sfnt.Font }

// OpenFont reads a font file (TrueType, OpenType or a collection of them) that has Chinese
// characters, such as DroidSansFallbackFull.ttf.
func OpenFont(path string) (Font, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Font{}, err
	}
	fonts, err := sfnt.ParseCollection(content)
	if err != nil {
		return Font{}, fmt.Errorf("%s: %w", path, err)
	}
	first, err := fonts.Font(0)
	if err != nil {
		return Font{}, fmt.Errorf("%s: %w", path, err)
	}
	latin, err := opentype.Parse(gomono.TTF)
	if err != nil {
		return Font{}, err
	}
	f := Font{chinese: first, latin: latin}
	for _, needed := range "已付款元￥" {
		if !f.has(needed) {
			return Font{}, fmt.Errorf("%s has no character %q: name a font with Chinese characters", path, needed)
		}
	}
	return f, nil
}

func (f Font) has(r rune) bool {
	index, err := f.of(r).GlyphIndex(nil, r)
	return err == nil && index != 0
}

// of returns the font that a character is drawn with.
func (f Font) of(r rune) *sfnt.Font {
	if r < utf8.RuneSelf {
		return f.latin
	}
	return f.chinese
}

// Show replaces what the font can't show.
func (f Font) Show(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case f.has(r):
			return r
		case f.has(placeholder):
			return placeholder
		default:
			return '?'
		}
	}, clean(text))
}

// Page is the size of the paper.
type Page struct {
	// Width and Height of the paper and its unprintable Margin in pixels.
	Width, Height, Margin int
	// Resolution in pixels per inch.
	Resolution int
}

// widest is how wide a ticket becomes on wide paper: 80 mm, as on a receipt printer.
const widest = 80

// Draw draws rows on as many pages as they need.
func (f Font) Draw(rows []Row, columns int, page Page) ([]*image.Gray, error) {
	width := min(page.Width-2*page.Margin, widest*page.Resolution*10/254)
	cell := width / columns
	if cell < 4 {
		return nil, fmt.Errorf("the paper is too narrow for %d columns: %d pixels", columns, width)
	}
	normal, err := f.faces(2 * cell)
	if err != nil {
		return nil, err
	}
	large, err := f.faces(4 * cell)
	if err != nil {
		return nil, err
	}
	var pages []*image.Gray
	bottom := 0
	for _, row := range rows {
		drawn, step := normal, cell
		if row.Large {
			drawn, step = large, 2*cell
		}
		height := 5 * step / 2
		if len(pages) == 0 || bottom+height > page.Height-page.Margin {
			pages, bottom = append(pages, blank(page)), page.Margin
		}
		left := page.Margin
		if row.Centre {
			left += (width - Columns(row.Text)*step) / 2
		}
		bottom += height
		drawRow(pages[len(pages)-1], row, drawn, step, left, bottom-step/2)
	}
	return pages, nil
}

// faces are the fonts in one size.
type faces struct{ chinese, latin font.Face }

func (f Font) faces(size int) (faces, error) {
	// At 72 dpi a point is a pixel.
	options := &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull}
	chinese, err := opentype.NewFace(f.chinese, options)
	if err != nil {
		return faces{}, err
	}
	// A letter of this font is three fifths as wide as high, and has to fit into half a square.
	options.Size *= 0.8
	latin, err := opentype.NewFace(f.latin, options)
	return faces{chinese, latin}, err
}

func (f faces) of(r rune) font.Face {
	if r < utf8.RuneSelf {
		return f.latin
	}
	return f.chinese
}

func blank(page Page) *image.Gray {
	paper := image.NewGray(image.Rect(0, 0, page.Width, page.Height))
	draw.Draw(paper, paper.Bounds(), image.White, image.Point{}, draw.Src)
	return paper
}

// drawRow draws each character into its cell, so that columns stand below each other whatever widths
// the font has. Bold is drawn twice.
func drawRow(paper *image.Gray, row Row, drawn faces, step, left, baseline int) {
	pen := font.Drawer{Dst: paper, Src: image.NewUniform(color.Black)}
	for _, r := range row.Text {
		cell := step * columnsOf(r)
		pen.Face = drawn.of(r)
		advance, _ := pen.Face.GlyphAdvance(r)
		pen.Dot = fixed.P(left, baseline)
		pen.Dot.X += (fixed.I(cell) - advance) / 2
		start := pen.Dot
		pen.DrawString(string(r))
		if row.Bold {
			pen.Dot = start
			pen.Dot.X += fixed.I(max(step/8, 1))
			pen.DrawString(string(r))
		}
		left += cell
	}
}
