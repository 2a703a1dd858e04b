import { onCLS } from "web-vitals/onCLS.js";
import { onINP } from "web-vitals/onINP.js";
import { onLCP } from "web-vitals/onLCP.js";
import { onTTFB } from "web-vitals/onTTFB.js";

export interface Vital {
  metric: "LCP" | "INP" | "CLS" | "TTFB";
  value: number;
  rating: "good" | "needs-improvement" | "poor";
  navigation: string;
}

/** Reports each Web Vital of the page view as it is settled: milliseconds, for CLS a score. */
export function watchVitals(report: (vital: Vital) => void): void {
  const listener = (metric: { name: string; value: number; rating: Vital["rating"]; navigationType: string }): void =>
    report({
      metric: metric.name as Vital["metric"],
      value: Number(metric.value.toFixed(4)),
      rating: metric.rating,
      navigation: metric.navigationType,
    });
  onLCP(listener);
  onINP(listener);
  onCLS(listener);
  onTTFB(listener);
}
