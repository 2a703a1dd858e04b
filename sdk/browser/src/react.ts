import { Component, useSyncExternalStore, type ErrorInfo, type ReactNode } from "react";
import type { GuardedClient } from "./breaker.js";
import type { Client } from "./interface.js";

export interface ErrorBoundaryProps {
  client: Client & Partial<Pick<GuardedClient, "report">>;
  /** The flag whose variants are shown inside: a client with a circuit breaker hears whether they could be. */
  flag?: string;
  children?: ReactNode;
  /** Shown instead of what failed. */
  fallback?: ReactNode | ((error: unknown, retry: () => void) => ReactNode);
  onError?: (error: unknown, info: ErrorInfo) => void;
}

/** Reports an error of the components inside, with the variants in force, and shows the fallback in their place. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, { failed: boolean; error: unknown }> {
  override state = { failed: false, error: undefined as unknown };

  static getDerivedStateFromError(error: unknown): { failed: boolean; error: unknown } {
    return { failed: true, error };
  }

  override componentDidMount(): void {
    if (!this.state.failed) this.#succeeded();
  }

  override componentDidUpdate(_: ErrorBoundaryProps, before: { failed: boolean }): void {
    if (before.failed && !this.state.failed) this.#succeeded();
  }

  #succeeded(): void {
    const { client, flag } = this.props;
    const variant = flag && client.variants[flag];
    if (variant) client.report?.(flag, variant, false);
  }

  override componentDidCatch(error: unknown, info: ErrorInfo): void {
    const components = (info.componentStack ?? "").slice(0, 2000);
    this.props.client.captureError(error, { kind: "boundary", components, flag: this.props.flag });
    this.props.onError?.(error, info);
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    const { fallback = null } = this.props;
    return typeof fallback === "function"
      ? fallback(this.state.error, () => this.setState({ failed: false, error: undefined }))
      : fallback;
  }
}

/** The unit's variant, exposed, and rendered again when it changes. */
export function useVariant(client: Client, flag: string): string | null {
  return useSyncExternalStore(
    (changed) => client.onChange((flags) => flags.includes(flag) && changed()),
    () => client.variant(flag),
    () => client.peek(flag),
  );
}
