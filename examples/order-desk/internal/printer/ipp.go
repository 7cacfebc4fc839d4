package printer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// ippPrinter is an IPP Everywhere printer or a CUPS queue. It is sent PWG raster, which all of them
// take: text would need Chinese characters in the printer, which few have.
type ippPrinter struct {
	uri     string
	post    string
	client  *http.Client
	options Options
	font    ticket.Font
	request uint32
}

// raster is the format that is sent.
const raster = "image/pwg-raster"

// pollJob is how long a job is left alone between two questions about it.
const pollJob = 500 * time.Millisecond

func newIPP(u *url.URL, options Options) (Printer, error) {
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%s: needs a host", u.Redacted())
	}
	if options.Font == "" {
		return nil, errors.New("an IPP printer needs --font, a font with Chinese characters: the order is sent as an image")
	}
	font, err := ticket.OpenFont(options.Font)
	if err != nil {
		return nil, err
	}
	post := *u
	post.Scheme = map[string]string{"ipp": "http", "ipps": "https"}[u.Scheme]
	if u.Port() == "" {
		post.Host = net.JoinHostPort(u.Hostname(), "631")
	}
	return &ippPrinter{uri: u.String(), post: post.String(), client: &http.Client{}, options: options, font: font}, nil
}

// Print sends a ticket as a job and waits until the printer has completed it.
func (p *ippPrinter) Print(ctx context.Context, t ticket.Ticket, job Job) error {
	paper, err := p.paper(ctx)
	if err != nil {
		return err
	}
	rows := t.Layout(p.options.Columns, p.options.Zone, p.font.Show)
	pages, err := p.font.Draw(rows, p.options.Columns, paper)
	if err != nil {
		return err
	}
	if err := job.Begin(); err != nil {
		return err
	}
	id, err := p.send(ctx, t.Number, ticket.PWGRaster(pages, paper.Resolution))
	if err != nil {
		return err
	}
	return p.await(ctx, id, job.Waits)
}

// paper asks the printer whether it takes jobs, and for its paper and resolution.
func (p *ippPrinter) paper(ctx context.Context) (ticket.Page, error) {
	request := p.newRequest(goipp.OpGetPrinterAttributes)
	requested := goipp.MakeAttribute("requested-attributes", goipp.TagKeyword, goipp.String("document-format-supported"))
	for _, name := range []string{"printer-state", "printer-state-reasons", "printer-is-accepting-jobs", "media-default", "pwg-raster-document-resolution-supported"} {
		requested.Values.Add(goipp.TagKeyword, goipp.String(name))
	}
	request.Operation.Add(requested)
	response, err := p.do(ctx, request, nil)
	if err != nil {
		return ticket.Page{}, err
	}
	attributes := response.Printer
	if accepting := first(attributes, "printer-is-accepting-jobs"); accepting != nil && accepting.String() == "false" {
		return ticket.Page{}, fmt.Errorf("the printer takes no jobs (%s)", join(attributes, "printer-state-reasons"))
	}
	if formats := join(attributes, "document-format-supported"); !strings.Contains(formats, raster) {
		return ticket.Page{}, fmt.Errorf("the printer does not take %s, as each IPP Everywhere printer does; it takes %s", raster, formats)
	}
	return pageOf(join(attributes, "media-default"), resolutionOf(attributes)), nil
}

// fallbackResolution is what a printer that states none is sent.
const fallbackResolution = 300

// resolutionOf chooses the lowest resolution from 200 dpi on, which is what receipt printers have.
func resolutionOf(attributes goipp.Attributes) int {
	chosen := 0
	for _, attribute := range attributes {
		if attribute.Name != "pwg-raster-document-resolution-supported" {
			continue
		}
		for _, value := range attribute.Values {
			if r, ok := value.V.(goipp.Resolution); ok && r.Units == goipp.UnitsDpi && r.Xres == r.Yres && r.Xres >= 200 && (chosen == 0 || r.Xres < chosen) {
				chosen = r.Xres
			}
		}
	}
	if chosen == 0 {
		return fallbackResolution
	}
	return chosen
}

// pageOf reads a media name of PWG 5101.1, such as iso_a4_210x297mm. Names that it can't read are A4.
func pageOf(media string, resolution int) ticket.Page {
	width, height, unit := 210.0, 297.0, "mm"
	if size := media[strings.LastIndex(media, "_")+1:]; size != "" {
		var w, h float64
		var u string
		if n, _ := fmt.Sscanf(size, "%fx%f%s", &w, &h, &u); n == 3 && w > 0 && h > 0 && (u == "mm" || u == "in") {
			width, height, unit = w, h, u
		}
	}
	perUnit := float64(resolution)
	if unit == "mm" {
		perUnit /= 25.4
	}
	page := ticket.Page{Width: int(width * perUnit), Height: int(height * perUnit), Resolution: resolution}
	page.Margin = min(resolution/4, page.Width/16)
	return page
}

// send sends the document as a job, and returns its id.
func (p *ippPrinter) send(ctx context.Context, name string, document []byte) (int, error) {
	request := p.newRequest(goipp.OpPrintJob)
	request.Operation.Add(goipp.MakeAttribute("job-name", goipp.TagName, goipp.String(name)))
	request.Operation.Add(goipp.MakeAttribute("document-format", goipp.TagMimeType, goipp.String(raster)))
	response, err := p.do(ctx, request, document)
	if err != nil {
		return 0, err
	}
	if id, ok := first(response.Job, "job-id").(goipp.Integer); ok {
		return int(id), nil
	}
	return 0, errors.New("the printer took the job and does not say which it is")
}

// States of a job by RFC 8011.
const (
	jobCanceled  = 7
	jobAborted   = 8
	jobCompleted = 9
)

// await waits until the job has ended. A job that the printer has is never sent a second time while
// it is there, also when the printer does not answer for a while.
func (p *ippPrinter) await(ctx context.Context, id int, waits func(string)) error {
	for wait := pollJob; ; wait = pollJob {
		request := p.newRequest(goipp.OpGetJobAttributes)
		request.Operation.Add(goipp.MakeAttribute("job-id", goipp.TagInteger, goipp.Integer(id)))
		response, err := p.do(ctx, request, nil)
		var refused refusedError
		switch {
		case errors.As(err, &refused) && refused.status == goipp.StatusErrorNotFound:
			return fmt.Errorf("the printer has lost the job %d", id)
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			waits(err.Error())
			wait = p.options.Patience
		default:
			state, _ := first(response.Job, "job-state").(goipp.Integer)
			reasons := join(response.Job, "job-state-reasons")
			switch state {
			case jobCompleted:
				waits("")
				return nil
			case jobCanceled, jobAborted:
				return fmt.Errorf("the printer did not print the job %d: %s", id, reasons)
			}
			waits(p.why(ctx, reasons))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// why says what a job waits for, in words of the printer such as media-empty.
func (p *ippPrinter) why(ctx context.Context, ofJob string) string {
	request := p.newRequest(goipp.OpGetPrinterAttributes)
	request.Operation.Add(goipp.MakeAttribute("requested-attributes", goipp.TagKeyword, goipp.String("printer-state-reasons")))
	if response, err := p.do(ctx, request, nil); err == nil {
		if reasons := join(response.Printer, "printer-state-reasons"); reasons != "" && reasons != "none" {
			return "the printer says: " + reasons
		}
	}
	if ofJob == "job-printing" || ofJob == "none" {
		return ""
	}
	return ofJob
}

func (p *ippPrinter) newRequest(operation goipp.Op) *goipp.Message {
	p.request++
	request := goipp.NewRequest(goipp.DefaultVersion, operation, p.request)
	request.Operation.Add(goipp.MakeAttribute("attributes-charset", goipp.TagCharset, goipp.String("utf-8")))
	request.Operation.Add(goipp.MakeAttribute("attributes-natural-language", goipp.TagLanguage, goipp.String("en")))
	request.Operation.Add(goipp.MakeAttribute("printer-uri", goipp.TagURI, goipp.String(p.uri)))
	request.Operation.Add(goipp.MakeAttribute("requesting-user-name", goipp.TagName, goipp.String("order-desk")))
	return request
}

// refusedError is a status of IPP that is no success.
type refusedError struct {
	status  goipp.Status
	message string
}

func (e refusedError) Error() string {
	return strings.TrimSpace("the printer refuses: " + e.status.String() + " " + e.message)
}

// mostAnswer is the largest answer that is read.
const mostAnswer = 1 << 20

// do sends a request and a document, and returns the answer of a request that succeeded.
func (p *ippPrinter) do(ctx context.Context, request *goipp.Message, document []byte) (*goipp.Message, error) {
	content, err := request.EncodeBytes()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Patience)
	defer cancel()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, p.post, bytes.NewReader(append(content, document...)))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", goipp.ContentType)
	answer, err := p.client.Do(post)
	if err != nil {
		return nil, fmt.Errorf("the printer can't be reached: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the printer answers HTTP %d", answer.StatusCode)
	}
	response := &goipp.Message{}
	if err := response.Decode(io.LimitReader(answer.Body, mostAnswer)); err != nil {
		return nil, fmt.Errorf("the printer's answer is no IPP: %w", err)
	}
	if status := goipp.Status(response.Code); status >= 0x0100 {
		return nil, refusedError{status, join(response.Operation, "status-message")}
	}
	return response, nil
}

func first(attributes goipp.Attributes, name string) goipp.Value {
	for _, attribute := range attributes {
		if attribute.Name == name && len(attribute.Values) > 0 {
			return attribute.Values[0].V
		}
	}
	return nil
}

func join(attributes goipp.Attributes, name string) string {
	var values []string
	for _, attribute := range attributes {
		if attribute.Name != name {
			continue
		}
		for _, value := range attribute.Values {
			values = append(values, value.V.String())
		}
	}
	return strings.Join(values, ", ")
}
