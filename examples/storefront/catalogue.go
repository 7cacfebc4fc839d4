package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// product is a line of the catalogue. Its price is the only one that counts.
type product struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Price of a piece, in fen.
	Price int64 `json:"price"`
	// Stock is how many pieces there were at CountedTime.
	Stock int64 `json:"stock"`
	// CountedTime is when Stock was counted: what was paid before it is not taken from Stock again. Absent: all paid Orders are.
	CountedTime metav1.Time `json:"countedTime,omitzero"`
}

// catalogue is all that is sold.
type catalogue struct {
	Products []product `json:"products"`
}

// The most that WeChat Pay takes for an order, in fen, and the most pieces of an order.
const (
	largestTotal = 1<<31 - 1
	mostPieces   = 999
	longestName  = 120 // of the 127 bytes of a description, which ends in x999
	largestStock = 1_000_000_000
)

var (
	// productID is a legal value of a label.
	productID = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z_.-]{0,61}[0-9A-Za-z])?$`)
	// unsendable is what WeChat Pay's description must not hold.
	unsendable = regexp.MustCompile(`[\p{Cc}\x{FFFE}\x{FFFF}\x{10000}-\x{10FFFF}]|&[A-Za-z_][0-9A-Za-z_.-]*=`)
)

// loadCatalogue reads a YAML or JSON file, and refuses what could not be sold.
func loadCatalogue(file string) (*catalogue, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c := &catalogue{}
	if err := yaml.UnmarshalStrict(content, c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c *catalogue) validate() error {
	var errs []error
	seen := map[string]bool{}
	for i, p := range c.Products {
		wrong := func(what string) {
			errs = append(errs, fmt.Errorf("product %d (%q): %s", i+1, p.ID, what))
		}
		if !productID.MatchString(p.ID) {
			wrong("id must be 1 to 63 letters, digits, -, _ and .")
		}
		if seen[p.ID] {
			wrong("this id is there twice")
		}
		seen[p.ID] = true
		if p.Name == "" || len(p.Name) > longestName || unsendable.MatchString(p.Name) || p.Name != strings.TrimSpace(p.Name) {
			wrong(fmt.Sprintf("name must be 1 to %d bytes, without emoji, control characters, &name= and surrounding white space", longestName))
		}
		if p.Price < 1 || p.Price > largestTotal {
			wrong("price must be a whole number of fen, from 1")
		}
		if p.Stock < 0 || p.Stock > largestStock {
			wrong("stock must not be negative")
		}
	}
	if len(c.Products) == 0 {
		errs = append(errs, errors.New("there are no products"))
	}
	return errors.Join(errs...)
}

func (c *catalogue) find(id string) (product, error) {
	for _, p := range c.Products {
		if p.ID == id {
			return p, nil
		}
	}
	return product{}, refusal{codeNotFound, fmt.Sprintf("the catalogue has no product %q", id)}
}

// productOnSale is a product as a page sees it.
type productOnSale struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Price int64  `json:"price"`
	// Stock is what can be ordered now.
	Stock int64 `json:"stock"`
}

// showCatalogue answers GET /catalog.
func (s *storefront) showCatalogue(*http.Request) (any, error) {
	answer := struct {
		Code     int             `json:"code"`
		Products []productOnSale `json:"products"`
	}{}
	for _, p := range s.catalogue.Products {
		answer.Products = append(answer.Products, productOnSale{p.ID, p.Name, p.Price, max(0, s.book.available(p))})
	}
	return answer, nil
}
