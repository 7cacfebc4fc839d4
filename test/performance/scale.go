package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// measureScale looks at an operator with many Orders: what they cost while most are finished, and what it does all day while
// all are open.
func measureScale(ctx context.Context, o settings, r *results) error {
	scales, err := o.scaleNumbers()
	if err != nil {
		return err
	}
	return errors.Join(measureMemory(ctx, o, scales, r), measureRest(ctx, o, scales[len(scales)/2], r))
}

// scaleNumbers are what --scales says, in growing order.
func (o settings) scaleNumbers() ([]int, error) {
	var numbers []int
	for _, text := range strings.Split(o.scales, ",") {
		number, err := strconv.Atoi(text)
		if err != nil || number <= 0 || len(numbers) > 0 && number <= numbers[len(numbers)-1] {
			return nil, fmt.Errorf("--scales=%s: want growing numbers of Orders, such as 10000,50000,100000", o.scales)
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}
