/** How many days before its end a certificate is renewed, or warned about if others renew it. */
export const renewalDays = 30;
