import { Component, useSyncExternalStore, type ErrorInfo, type ReactNode } from "react";
import type { Client } from "./interface.js";

export interface ErrorBoundaryProps {
  client: Client;
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

  override componentDidCatch(error: unknown, info: ErrorInfo): void {
    const components = (info.componentStack ?? "").slice(0, 2000);
    this.props.client.captureError(error, { kind: "boundary", components });
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
