package printer_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ippprinter"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/printer"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

func ippOptions() printer.Options {
	o := options()
	o.Font, o.Patience = ippprinter.Font, 10*time.Second
	return o
}

// readRaster reads PWG raster by its specification, apart from the code that writes it.
func readRaster(t testing.TB, content []byte) (pages []*image.Gray) {
	t.Helper()
	content, isRaster := bytes.CutPrefix(content, []byte("RaS2"))
	if !isRaster {
		t.Fatal("no PWG raster")
	}
	for len(content) > 0 {
		number := func(at int) int { return int(binary.BigEndian.Uint32(content[at:])) }
		if name := string(content[:10]); name != "PwgRaster\x00" || number(384) != 8 || number(388) != 8 || number(400) != 18 || number(392) != number(372) {
			t.Fatalf("a page of %q with %d bits", name, number(388))
		}
		page := image.NewGray(image.Rect(0, 0, number(372), number(376)))
		content = content[1796:]
		for y := 0; y < page.Rect.Dy(); {
			repeats := int(content[0]) + 1
			content = content[1:]
			line := page.Pix[y*page.Stride:][:page.Stride]
			for x := 0; x < len(line); {
				run := int(content[0]) + 1
				if run > 128 {
					t.Fatal("literal runs are not written")
				}
				for i := range run {
					line[x+i] = content[1]
				}
				x, content = x+run, content[2:]
			}
			for i := 1; i < repeats; i++ {
				copy(page.Pix[(y+i)*page.Stride:], line)
			}
			y += repeats
		}
		pages = append(pages, page)
	}
	return pages
}

// inkOf returns the part of a page that is not white.
func inkOf(page *image.Gray) image.Rectangle {
	var ink image.Rectangle
	for y := range page.Rect.Dy() {
		for x := range page.Rect.Dx() {
			if page.GrayAt(x, y).Y < 128 {
				ink = ink.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return ink
}

// TestIPPPrinterPrintsChineseCharacters: what an IPP Everywhere printer has printed is what the font
// draws, and not the empty boxes that a text without Chinese characters becomes.
func TestIPPPrinterPrintsChineseCharacters(t *testing.T) {
	device := ippprinter.Start(t)
	if _, _, err := attempt(t, newPrinter(t, device.URL(), ippOptions())); err != nil {
		t.Fatalf("%v\n%s", err, device.Log())
	}
	documents := device.Documents()
	if len(documents) != 1 {
		t.Fatalf("%q\n%s", documents, device.Log())
	}
	content, err := os.ReadFile(documents[0])
	if err != nil {
		t.Fatal(err)
	}
	pages := readRaster(t, content)
	if len(pages) != 1 {
		t.Fatalf("%d pages", len(pages))
	}
	if keep := os.Getenv("KEEP_TICKET"); keep != "" { // for people to look at
		var picture bytes.Buffer
		if err := png.Encode(&picture, pages[0]); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(keep, picture.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if ink := inkOf(pages[0]); ink.Dx() < 600 || ink.Dy() < 400 || ink.Max.X > pages[0].Rect.Dx()/2 {
		t.Errorf("the ink is in %v of %v", ink, pages[0].Rect)
	}
	readByCUPS(t, documents[0])
}

// readByCUPS lets the filter that comes with ippeveprinter read a document: its reader of PWG raster
// is CUPS' own.
func readByCUPS(t testing.TB, document string) {
	t.Helper()
	const filter = "/usr/sbin/ippeveps"
	if _, err := os.Stat(filter); err != nil {
		t.Logf("no %s to read the raster with", filter)
		return
	}
	command := exec.Command(filter, document)
	command.Env = append(os.Environ(), "CONTENT_TYPE=image/pwg-raster", "DOCUMENT_NAME=ticket")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	postscript, err := command.Output()
	if err != nil || !bytes.Contains(postscript, []byte("%%Page")) {
		t.Errorf("CUPS can't read the raster: %v: %s", err, complaint.String())
	}
}

func TestIPPPrinterWithoutPaperIsWaitedFor(t *testing.T) {
	device := ippprinter.Start(t)
	p := newPrinter(t, device.URL(), ippOptions())
	device.RunOut()
	waits, result := make(chan string, 1000), make(chan error, 1)
	go func() {
		result <- p.Print(t.Context(), ticket.Ticket{Number: "order-0001"}, printer.Job{
			Begin: func() error { return nil }, Waits: func(why string) { waits <- why },
		})
	}()
	for said := ""; !strings.Contains(said, "media-empty"); {
		select {
		case said = <-waits:
		case err := <-result:
			t.Fatalf("it did not wait: %v\n%s", err, device.Log())
		}
	}
	device.Refill()
	if err := <-result; err != nil {
		t.Fatalf("%v\n%s", err, device.Log())
	}
	if got := device.Documents(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestIPPPrinterThatIsAway(t *testing.T) {
	device := ippprinter.Start(t)
	p := newPrinter(t, device.URL(), ippOptions())
	device.SwitchOff()
	if begun, _, err := attempt(t, p); err == nil || begun || !strings.Contains(err.Error(), "can't be reached") {
		t.Errorf("begun %t, %v", begun, err)
	}
	device.SwitchOn()
	if _, _, err := attempt(t, p); err != nil {
		t.Errorf("%v\n%s", err, device.Log())
	}
}
