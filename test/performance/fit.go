package main

// line is a straight line through points: base + slope * x.
type line struct{ base, slope float64 }

// fit is the line with the least squares. One point gives a line through it and zero.
func fit(xs, ys []float64) line {
	if len(xs) == 1 {
		return line{slope: ys[0] / xs[0]}
	}
	meanX, meanY := mean(xs), mean(ys)
	covariance, variance := 0.0, 0.0
	for i := range xs {
		covariance += (xs[i] - meanX) * (ys[i] - meanY)
		variance += (xs[i] - meanX) * (xs[i] - meanX)
	}
	slope := covariance / variance
	return line{base: meanY - slope*meanX, slope: slope}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return sum / float64(len(values))
}
