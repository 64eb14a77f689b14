#!/usr/bin/perl
# Crypt::JWT, as its documentation teaches: `decode_jwt` with a JWK Set as `kid_keys`, and everything else as arguments.
# `decode_jwt` with `ignore_signature` shows the issuer, to choose whose keys and rules to verify by.
use v5.20;
use warnings;
use Crypt::JWT qw(decode_jwt);
use FindBin;
use lib $FindBin::Bin;
use WrongkeyAdapter qw(refuse serve);

my @algorithms = qw(HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ES256K EdDSA);

sub settle {
    my ($terms) = @_;
    return sub {
        my ($token) = @_;
        my $unverified = decode_jwt(token => $token, ignore_signature => 1, ignore_claims => 1, decode_payload => 1);
        my $realm = $terms->realm_of($unverified->{iss});
        my %issuers = map { $_ => 1 } @{ $realm->{issuers} };
        my %audiences = map { $_ => 1 } @{ $realm->{audiences} // [] };
        my %required = map { $_ => 1 } @{ $terms->{required} };
        my ($header, $claims) = decode_jwt(
            token => $token,
            kid_keys => { keys => $realm->{keys} },
            accepted_alg => $realm->{algorithms},
            decode_header => 1,
            decode_payload => 1,
            verify_iss => sub { $issuers{ $_[0] } },
            verify_aud => %audiences
                ? sub { grep { defined && !ref && $audiences{$_} } ref $_[0] eq 'ARRAY' ? @{ $_[0] } : $_[0] }
                : undef,
            verify_exp => $required{exp} ? 1 : undef,
            leeway => $terms->{leeway},
        );
        refuse('it is for somebody') if $realm->{audiences} && !%audiences && exists $claims->{aud};
        $terms->require_claims($claims);
        return ($header, $claims, $realm);
    };
}

serve('crypt-jwt', Crypt::JWT->VERSION, \@algorithms, \&settle);
