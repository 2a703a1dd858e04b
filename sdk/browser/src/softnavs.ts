// Stands in for web-vitals' own module: soft navigations are not reported, and the code for them falls away.
export const checkSoftNavsEnabled = (): false => false;
export const storeSoftNavEntry = (): void => undefined;
