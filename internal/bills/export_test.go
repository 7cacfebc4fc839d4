package bills

// Value returns a value of the row that was read last, including those that rows do not keep.
func (b *TradeBill) Value(column string) string {
	return b.sheet.cells[b.sheet.layout.index(column)]
}
